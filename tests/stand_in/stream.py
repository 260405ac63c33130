"""The order of work on the one GPU of the stand-in: at once, or, while captured, into a graph."""

counts = {"synchronize": 0, "from host": 0}  # what a step asks of the host since `counts` was reset
_capturing = []  # the work of the graph that is being captured: at most one list


class Graph:
    def __init__(self, work):
        self.work = work

    def launch(self, stream=None):
        for each in self.work:
            each()


def do(work):
    """Do it, or note it down for the graph; results computed at the time of capture are nothing."""
    if _capturing:
        _capturing[-1].append(work)
    else:
        work()


def synchronize():
    if _capturing:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: waiting for a stream being captured")
    counts["synchronize"] += 1


def copied_from_host():
    if _capturing:
        raise RuntimeError("a copy from the host's memory, while capturing, would be captured")
    counts["from host"] += 1


def begin_capture():
    _capturing.append([])


def end_capture():
    return Graph(_capturing.pop())
