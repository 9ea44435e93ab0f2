"""Reelseek as a Discord bot."""
