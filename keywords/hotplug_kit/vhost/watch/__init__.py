"""Looks at a living vhost in the background: its log, its answers, what it holds."""
