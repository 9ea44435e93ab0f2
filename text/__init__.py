"""How people write: spelling, emoji, markup and scripts, for all packages. It imports none of them."""
