"""Numbers of things as people say them."""


def counted(number: int, noun: str) -> str:
    """Say how many there are: "1 result", "1,024 results"."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"
