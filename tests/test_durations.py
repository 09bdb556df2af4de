"""The default tier stays quick: it is what every newcomer and contributor runs."""

import pytest

LIMIT = 20  # processor seconds of a test, alone


@pytest.mark.full
def test_no_test_of_the_default_tier_takes_long(request):
    """Reads what the last run of the default tier took: run that first."""
    seconds = request.config.cache.get("processor_seconds", {})
    assert len(seconds) > 1000, "run python -m pytest -n auto first"
    slow = {test: taken for test, taken in seconds.items() if taken > LIMIT}
    assert not slow, f"too slow for the default tier: {slow}"
