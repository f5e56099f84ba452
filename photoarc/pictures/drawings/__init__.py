"""What is no photograph: drawings, screens, text, data, linear light."""
