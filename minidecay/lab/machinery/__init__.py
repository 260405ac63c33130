"""What experiments share: arms and how they are trained, claims and verdicts, the command."""
