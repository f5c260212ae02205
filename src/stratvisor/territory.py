"""What of a home is stratvisor's own, and no strategy's business.

Names relative to the home; knows nothing of what stands there or of who keeps strategies out.
"""

from __future__ import annotations

SECRET = ("keys", "secrets.yaml", "run")
"""To be read by no strategy, whatever its file says."""

GOVERNING = (*SECRET, "conf.d", "calendars", "stratvisor.toml", "log")
"""Whoever may write there rules over all strategies, or over what is known of them."""

OWN = (*GOVERNING, "data")
"""Given to nobody who does not name a part of it, but for each strategy's own folder in data/."""
