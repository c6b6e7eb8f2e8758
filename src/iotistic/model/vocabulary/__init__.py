"""From what a target says to what it means: every field of compose's vocabulary, in every form.

The one invariant: two ways to write the same thing are equal afterwards, and what compose calls
unset (0 and "" for memory, say) is None. Each field has one function that takes the `Fields` it
stands in; `service` and `app_parts` put them together.

    quantities    sizes, spans of time, shares of a processor
    entries       texts, lists and maps of them in their short and long forms
    process       command, user, signals, restart, health check
    health        the health check
    resources     processor, memory, limits, in three places where they may stand
    security      capabilities, options, namespaces
    hardware      devices, their rules, graphics cards
    networking    networks, names and addresses
    ports         published ports
    storage       volumes, file systems in memory
    secrets       secrets of the app, and their use
    order         what a service waits for
    app_parts     networks, volumes, release, strategy of an app
    service       one whole service
    elsewhere     fields of compose that have no place here, with the reason
"""
