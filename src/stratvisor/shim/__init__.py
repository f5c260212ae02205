"""The process beside each run, and the process that those are forked from.

Everything in this folder runs under `python -I -S` and imports the standard library and its
neighbours here, nothing else: it must start in milliseconds, weigh next to nothing, and go on
working while the rest of stratvisor is being replaced on disk. The daemon imports `rundir`,
`lognames` and `kernel` too, so that both sides of a run directory read one and the same text.
"""
