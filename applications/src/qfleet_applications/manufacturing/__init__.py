"""Manufacturing: job-shop schedules, paths of pickers and drills, and maintenance windows.

Each problem becomes a quadratic model of bits that a fleet samples, beside what OR-Tools CP-SAT proves.
"""
