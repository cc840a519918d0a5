"""What a run keeps an eye on: who can say what is wrong, waits with one deadline, periodic work, the chronicle."""
