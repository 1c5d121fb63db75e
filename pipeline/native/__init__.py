"""What is done with every byte of a log, in C: all of it is an optimisation, and without it nothing is different.

``scan.c`` is compiled when peerscope is installed. Where that could not be done, every line is read by the readers
and the grammar: the same facts, in several times the time.
"""
