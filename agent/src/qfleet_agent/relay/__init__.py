"""Keys for two devices that share no link: carried along a route of trusted nodes, one pad a hop.

Two secrets make the key. One is drawn by the source and goes from node to node under one-time pads; every
node of the route sees it. The other is agreed between the two ends by X-Wing, and no node sees it. The key
is unknown to whoever lacks either: to all nodes of the route together, and to whoever breaks X-Wing.
"""
