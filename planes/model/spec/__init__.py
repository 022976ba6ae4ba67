"""What an administrator writes: planes, their selectors, and the NAD a plane is rendered to.

Parsing and checking of one plane by itself; nothing here looks at pods.
"""
