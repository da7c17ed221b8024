"""What every function of the package asks of the chain that it is given."""

from __future__ import annotations

from hpi_bt.errors import InputError
from hpi_bt.options.chain import OptionChain


def check_chain(chain: object) -> None:
    """Raise InputError where this is no `OptionChain`; say so if it carries one as `.chain`."""
    if isinstance(chain, OptionChain):
        return
    name = type(chain).__name__
    carried = isinstance(getattr(chain, "chain", None), OptionChain)
    hint = f"give an OptionChain: a {name}'s .chain" if carried else "give an OptionChain"
    raise InputError(f"chain: a {name}; {hint}")
