"""Parts of times. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"."""

import numpy as np

from shortlist.kernels import compiled


@compiled
def parts(second_N, hour_N, weekday_N, month_N):
    """The hour, the weekday (from 0, a Monday) and the month (from 1) of seconds since 1970; -1 where they are none."""
    for row in range(len(second_N)):
        if not np.isfinite(second_N[row]):
            hour_N[row] = weekday_N[row] = month_N[row] = -1
            continue
        second = np.int64(np.floor(second_N[row]))
        day = second // 86_400
        hour_N[row] = (second - 86_400 * day) // 3_600
        weekday_N[row] = (day + 3) % 7
        # Years begin in March here, so that the day that some lack is the last; an era has 400 of them.
        days = day + 719_468
        of_era = days - days // 146_097 * 146_097
        year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
        month = (5 * (of_era - (365 * year + year // 4 - year // 100)) + 2) // 153
        month_N[row] = month + 3 if month < 10 else month - 9
