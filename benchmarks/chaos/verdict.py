"""What must hold when all is over, checked on the ledger alone. Pure: lines in, violations out."""

import collections


class Story:
    """What the ledger knows of one key."""

    def __init__(self):
        self.function = None
        self.attempts = 0
        self.ids = []
        self.cancelled = False
        self.starts = []
        self.ends = set()
        self.outcomes = []


def stories(lines):
    """The stories of all keys, from lines of "SECONDS KIND KEY …"; and what else is wrong."""
    found = collections.defaultdict(Story)
    refusals = []
    for line in lines:
        _, kind, key, *rest = line.split()
        story = found[key]
        if kind == "try":
            story.function, story.attempts = rest[0], int(rest[1])
        elif kind == "accepted":
            story.ids.append(rest[0])
        elif kind == "cancel":
            story.cancelled = True
        elif kind == "start":
            story.starts.append(rest[0])
        elif kind == "end":
            story.ends.add(rest[0])
        elif kind == "outcome":
            story.outcomes.append(tuple(rest[1:3]))
        elif kind == "refused":
            refusals.append(f"{key} was refused: {' '.join(rest)}")
        else:
            raise ValueError(f"the ledger has a line of an unknown kind: {line!r}")
    return found, refusals


def violations(lines):
    """A line for each promise that was not kept."""
    found, broken = stories(lines)
    owners = collections.defaultdict(set)
    for key, story in found.items():
        for ident in story.ids:
            owners[ident].add(key)
        broken += [f"{key}: {what}" for what in _of(story)]
    broken += [f"one job for the keys {', '.join(sorted(keys))}" for keys in owners.values() if len(keys) > 1]
    return broken


def _of(story):
    if len(set(story.ids)) > 1:
        yield f"one key made the jobs {', '.join(sorted(set(story.ids)))}"
    if not story.ids:
        return  # never accepted: nothing was promised, though it may have run
    if story.attempts == 1 and len(story.starts) > 1:
        yield f"attempts = 1, and it was started {len(story.starts)} times"
    if not story.outcomes:
        yield "accepted, and no outcome"
        return
    if len(set(story.outcomes)) > 1:
        yield f"its outcome changed: {', '.join(' '.join(each) for each in dict.fromkeys(story.outcomes))}"
    state, run = story.outcomes[0]
    if state == "SUCCEEDED":
        if run not in story.ends:
            yield f"its outcome is of run {run}, which never ended"
        elif run != story.starts[-1]:
            yield f"its outcome is of run {run}, which run {story.starts[-1]} had overtaken"
        if story.function == "fail":
            yield "it raised, and succeeded"
    elif state == "FAILED":
        if story.function != "fail":
            yield "it did not raise, and failed"
    elif state == "CANCELLED":
        if not story.cancelled:
            yield "it was cancelled, and nobody had asked for that"
    elif state == "DEAD":
        if len(story.starts) < story.attempts and story.attempts > 1:
            yield f"given up after {len(story.starts)} of {story.attempts} attempts"
    else:
        yield f"accepted, and then {state}"


def summary(lines):
    """Counts for people: accepted jobs, their states, runs beyond the first."""
    found, _ = stories(lines)
    accepted = [story for story in found.values() if story.ids]
    states = collections.Counter(story.outcomes[0][0] if story.outcomes else "OPEN" for story in accepted)
    again = sum(max(0, len(story.starts) - 1) for story in accepted)
    return len(accepted), states, again
