"""Smart cities: traffic, charging stations, power plants and sensors."""
