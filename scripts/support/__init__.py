"""What tests, demo and benchmarks share: a Docker Engine of their own, and images for it.

    engine_http      a Docker Engine's API, blocking, from the standard library alone
    images           small images made on the spot from the machine's static busybox
    private_docker   a Docker Engine on a socket and in folders of its own
    registry         an image registry on loopback, with faults to order

Nothing here is part of the product.
"""
