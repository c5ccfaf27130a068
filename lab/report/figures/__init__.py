"""The pictures of a report: one function each, plain values in, SVG text out."""
