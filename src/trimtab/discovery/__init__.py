"""What is there to manage on this machine, for `trimtab init`.

Reads: the machine, its loopback ports (GET only), sockets of programs that use the SDK. Produces: what was found, and a commented
configuration in which every lever asks. May import: assembly and all below. Never: ask another machine, send a POST.
"""
