"""Text to facts: how what people write becomes a `Spec` or a list of problems.

From the text upwards: `source` (bytes), `document` and `toml_document` (nodes), `keys`, `values`,
`shapes` and `words` (what may be written, in general), `grammar` and `schedule` (what may be written in a
strategy file), `layers`, `contradictions` and `surroundings` (what no single key can tell), `draft`.
"""
