"""What devices send for good: taken once, kept for a while, and missed when it did not come.

The one invariant: of a record's id (device, class, epoch, seq) what is stored never comes again,
and for each epoch `watermark == received + missing + rejected`. An answer with a watermark is
given after the transaction that holds it.

    bytes ──lines──> Items ──watermark──> fresh ones, gaps ──intake──> tables ──wake──> followers
                                                    └─ retention: days, and rows and bytes a device

`watermark` is the pure part; `intake` the transaction; `pace` what a device that floods is told;
`log_lines` and `lines` read what came; `shelf`, `metrics` and `follow` serve it to operators.
"""
