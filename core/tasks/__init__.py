"""What is learned, one file each: the task's configuration, its LightningModule, losses and metrics."""
