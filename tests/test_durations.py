"""The default tier stays quick: it is what every newcomer and contributor runs."""

import pytest

SHARE = 0.05  # of the tier's processor seconds, which a slow machine has more of in all tests alike


@pytest.mark.full
def test_no_test_of_the_default_tier_takes_long(request):
    """Reads what the last run of the default tier took: run that first."""
    seconds = request.config.cache.get("processor_seconds", {})
    assert len(seconds) > 1000, "run python -m pytest -n auto first"
    limit = SHARE * sum(seconds.values())
    slow = {test: taken for test, taken in seconds.items() if taken > limit}
    assert not slow, f"of {limit:.0f} s each, too slow for the default tier: {slow}"
