"""The doors: how people and programs reach the supervisor, over HTTP.

aiohttp and jinja2 live here alone. A handler asks the `Host` and words the answer; it decides nothing
about strategies. One file a group of routes; `server` puts them together and listens.
"""
