"""Text as people write it: spelling, emoji, markup and scripts. All packages use it, and it imports none of them."""
