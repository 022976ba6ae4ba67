"""Benchmarks: ratios against real peers, measured in one run on one machine.

A timing is not an assertion: a missed goal is printed, it never fails the run.
"""
