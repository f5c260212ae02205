"""Calendar files made of what the library exchange_calendars knows, for exchanges that are not shipped.

The library and the pandas beneath it live in a process of their own (`program`), which ends with its
answer. What is written has been read back by our own reader and says what the library says.
"""
