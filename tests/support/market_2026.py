"""What the exchanges do on each day of 2026: written from the table of their holidays, not from our files."""

from __future__ import annotations

from datetime import date

EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "CRYPTO")

HOLIDAYS = {
    "2026-01-15": ("Maharashtra municipal election", "evening"),
    "2026-01-26": ("Republic Day", "closed"),
    "2026-03-03": ("Holi", "evening"),
    "2026-03-26": ("Ram Navami", "evening"),
    "2026-03-31": ("Mahavir Jayanti", "evening"),
    "2026-04-03": ("Good Friday", "closed"),
    "2026-04-14": ("Dr Ambedkar Jayanti", "evening"),
    "2026-05-01": ("Maharashtra Day", "evening"),
    "2026-05-28": ("Bakri Id", "evening"),
    "2026-06-26": ("Muharram", "evening"),
    "2026-09-14": ("Ganesh Chaturthi", "evening"),
    "2026-10-02": ("Gandhi Jayanti", "closed"),
    "2026-10-20": ("Dussehra", "evening"),
    "2026-11-10": ("Diwali Balipratipada", "evening"),
    "2026-11-24": ("Guru Nanak Jayanti", "evening"),
    "2026-12-25": ("Christmas", "closed"),
}
"""Equity closes on every one of these days; MCX opens in the evening, or not at all."""

MUHURAT, BUDGET = date(2026, 11, 8), date(2026, 2, 1)
AUCTION = date(2026, 8, 3)


def expected(name: str, day: date) -> str:
    """Its sessions: `09:15-15:30`; a star where it is special; empty where it is closed."""
    if name == "CRYPTO":
        return "00:00-00:00"
    if day == MUHURAT:
        return "18:00-00:15*" if name == "MCX" else "18:00-19:15*"
    if day == BUDGET and name in {"NSE", "BSE"}:
        return "09:15-15:30*"
    if day.weekday() >= 5:
        return ""
    if day.isoformat() in HOLIDAYS:
        evening = name == "MCX" and HOLIDAYS[day.isoformat()][1] == "evening"
        return "17:00-23:55" if evening else ""
    if name in {"NFO", "BFO"}:
        return "09:15-15:40" if day >= AUCTION else "09:15-15:30"
    return {"NSE": "09:15-15:30", "BSE": "09:15-15:30", "MCX": "09:00-23:55"}.get(name, "09:00-17:00")
