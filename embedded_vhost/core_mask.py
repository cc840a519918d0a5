"""CPU core masks as SPDK's users write them: 0x3, 3 (also hexadecimal) or [0,1-2]."""

import re


def parse_core_mask(text: str) -> int:
    """Returns the mask as a number; raises `ValueError` when the text has another form or names no core."""
    text = text.strip()
    if not text.startswith("["):
        mask = int(text, 16)
    else:
        mask = 0
        for part in text.strip("[]").split(","):
            match = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part)
            if match is None:
                raise ValueError(f"{part!r} is neither a core nor a range of cores")
            for core in range(int(match[1]), int(match[2] or match[1]) + 1):
                mask |= 1 << core
    if mask <= 0:
        raise ValueError("it names no core")
    return mask
