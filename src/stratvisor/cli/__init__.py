"""The command line: one file a verb or a small group of them.

Every verb but `up`, `init`, `check`, `schema` and `completion` is a client of the daemon's Unix socket,
made of the standard library alone: it must answer at once, and also where the server cannot be imported.

Rule: nothing here imports the server, the supervisor or YAML at the top of a file; the verbs that need
them import them when they run.
"""
