"""`netplane map`: pods, the networks they are on, and the addresses of planes, as a picture.

`reading` makes `facts` out of a cluster or manifests, with texts of others cleaned and bounded.
`layout` and `strip_layout` are pure: numbers in, positions out. `drawing` writes fragments of SVG,
`picture` one SVG file, `page` one HTML file, `terminal` lines of text. `serving` shows the page on
the loopback interface.
"""
