"""What LogStream says about itself: metrics and its own log."""
