"""The default tier stays quick: it is what every newcomer and contributor runs."""

import pytest

LIMIT = 60  # processor seconds of a test: 20 on a quiet core, up to three times as many on shared ones


@pytest.mark.full
def test_no_test_of_the_default_tier_takes_long(request):
    """Reads what the last run of the default tier took: run that first."""
    seconds = request.config.cache.get("processor_seconds", {})
    assert len(seconds) > 1000, "run python -m pytest -n auto first"
    slow = {test: taken for test, taken in seconds.items() if taken > LIMIT}
    assert not slow, f"too slow for the default tier: {slow}"
