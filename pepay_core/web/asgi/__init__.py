"""What every request passes before it is routed, and every answer after: also those that no route has seen."""
