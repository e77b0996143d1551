"""What a shop's developer does to a test payment, on chains of this machine: pay it in every way, let time pass, take blocks back."""
