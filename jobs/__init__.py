"""The Flink jobs: each entry point reads as the data flow that it builds."""
