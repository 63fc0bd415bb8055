"""Who makes the parts of a job. The job's folder is the ledger: a part that is there is done, whoever made it.

making.py     Wanted, Given, Maker: a part is a pure function of the spec and of data gathered from the cache
crew.py       Crew: the job's own worker; Helpers: it and others on this machine
together.py   Together: processes that hold a model together
on_ray.py     OnRay: tasks of a Ray cluster, which run ray_tasks.py; cluster.py says whether one can be used
on_slurm.py   OnSlurm: tasks of a Slurm array
helper.py     the program of processes that help the job's worker
crews.py      which crew a job has
"""
