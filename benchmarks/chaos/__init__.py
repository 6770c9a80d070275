"""Kills everything that can be killed, by a seed, while clients submit jobs; an independent ledger counts."""
