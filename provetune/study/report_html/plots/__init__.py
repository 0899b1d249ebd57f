"""Plots as inline SVG, each drawn by one small function; colours are CSS variables of the page."""
