"""The job that does nothing: what is measured is all the rest."""


def noop(payload):
    return payload
