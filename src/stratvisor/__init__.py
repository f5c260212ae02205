"""stratvisor: hosts automated Python trading strategies on your own server."""

__version__ = "0.1.0"
