"""Words about jobs: how they end, and what is kept of them."""

EN = {
    "job.restarted": "the machine or the app was restarted; the job is in the queue again",
    "job.kept.replications": "replications that were finished are not run again",
    "job.kept.simulations": "simulations that were finished are not run again",
    "job.kept.steps": "steps that were finished are not done again",
    "job.kept.models": "models that were stored stay; the others are trained from the start",
    "job.kept.nothing": "it runs again from the start",
}
