"""What is measured: each module uploads a folder in its own way, by a coroutine `run(url, group, path)`."""
