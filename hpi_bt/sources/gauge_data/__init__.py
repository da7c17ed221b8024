"""Inputs of the Hedge Pressure Gauge: their files, their feeds, and what each close could know.

============  =====================================================================================
text          a published text as rows by date, or one line of refusal
files         each official layout, told by its content; `read_gauge_file`
put_call      the layouts of put/call ratios, and the splice of two of them
series        files as pieces of one series each, joined visibly
plausibility  values that no market has: refused, or left out and told
sessions      SPY's dates against the exchange's
publication   when a value became known, and what each session's row could know of it
reading       the files of a mapping or a folder, or what the cache holds
assembly      all of it as components and SPY, row by row: `gauge_inputs`
feeds         where each feed is published, and what it is kept under
download      the requests of one feed
merge         a new answer joined with the cached one; revisions
kept          what the cache holds, and how it stood on an earlier day
fetch         every feed into the cache: `fetch_gauge`
clock         the time, and the date in New York
============  =====================================================================================
"""
