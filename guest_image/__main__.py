"""Makes sure that the guest image exists; the last line printed is its folder."""

import argparse
import sys

from guest_image.errors import GuestImageError
from guest_image.image import ensure_image


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m guest_image", description=__doc__)
    parser.add_argument("--force", action="store_true", help="build the image even if the cache has it")
    options = parser.parse_args(arguments)
    try:
        image = ensure_image(lambda line: print(line, flush=True), force=options.force)
    except GuestImageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The build of the guest image was interrupted; none of it was kept.", file=sys.stderr)
        return 1
    print(image.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
