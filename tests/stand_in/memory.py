"""CuPy's pool of device memory, as far as it can be seen: what it asks of the GPU, and when.

As `cupy.cuda.memory.SingleDeviceMemoryPool` goes about it: sizes are rounded up to 512 bytes; the
smallest free chunk that is large enough is taken, and what is left of it stays free; a chunk that
is freed joins its free neighbours of the same allocation; only where no chunk is large enough is
new memory asked for.
"""

from dataclasses import dataclass

UNIT = 512


@dataclass(eq=False)
class Chunk:
    block: int  # the allocation it is part of
    start: int
    size: int
    free: bool = False


class Pool:
    def __init__(self):
        self.mallocs = 0  # how often the GPU was asked for memory
        self._chunks = []

    def malloc(self, nbytes):
        size = -(-nbytes // UNIT) * UNIT
        fitting = [chunk for chunk in self._chunks if chunk.free and chunk.size >= size]
        if not fitting:
            self.mallocs += 1
            self._chunks.append(Chunk(self.mallocs, 0, size))
            return self._chunks[-1]
        chunk = min(fitting, key=lambda each: each.size)
        if chunk.size > size:
            rest = Chunk(chunk.block, chunk.start + size, chunk.size - size, free=True)
            self._chunks.insert(self._chunks.index(chunk) + 1, rest)
        chunk.size, chunk.free = size, False
        return chunk

    def free(self, chunk):
        chunk.free = True
        place = self._chunks.index(chunk)
        for after in (place, place - 1):
            pair = self._chunks[max(after, 0) : after + 2]
            if len(pair) == 2 and pair[0].block == pair[1].block and pair[0].free and pair[1].free:
                pair[0].size += pair[1].size
                self._chunks.remove(pair[1])

    def total_bytes(self):
        return sum(chunk.size for chunk in self._chunks)

    def used_bytes(self):
        return sum(chunk.size for chunk in self._chunks if not chunk.free)

    def free_all_blocks(self):
        used = {chunk.block for chunk in self._chunks if not chunk.free}
        self._chunks = [chunk for chunk in self._chunks if chunk.block in used]


POOL = Pool()


class Memory:
    """Bytes of the pool, given back when the last array that lies in them is gone."""

    def __init__(self, nbytes):
        self.chunk = POOL.malloc(nbytes) if nbytes else None

    def __del__(self, pool=POOL):  # bound here, since globals may be gone when Python ends
        if self.chunk is not None:
            pool.free(self.chunk)
