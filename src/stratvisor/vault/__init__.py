"""Secrets: readable names and sealed values in secrets.yaml, and the key that opens them elsewhere.

`sealing` knows the cipher, `keyring` where the key lies, `contents` what secrets.yaml says, and `keeping`
alone changes any of it.
"""
