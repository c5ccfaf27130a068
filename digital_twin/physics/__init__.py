"""What physics says happens on the bench, as pure functions.

Nothing here keeps state, reads a clock or draws a random number of its own: a function that draws takes the
``numpy.random.Generator`` to draw from. Each docstring names the source of its formula and of its default numbers,
and says so where a number is a choice rather than a measurement. Units are in the names; arguments are keyword-only.

=============  ==================================================================================
module         what it answers
=============  ==================================================================================
folding        what fraction of a protein is unfolded at this temperature
inactivation   what fraction of it survives a temperature history in the presence of a protease
optics         what a plate reader shows for this liquid
evaporation    how much water leaves a well
pipetting      how much liquid a channel really delivers
atmosphere     how the air of a chamber follows its set carbon dioxide and humidity
heat           how a block, a well and a plate follow a set temperature
plate          which wells of a plate stand at its rim
=============  ==================================================================================
"""
