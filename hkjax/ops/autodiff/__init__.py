"""Operations with several lowerings and right derivatives of either mode and any order."""
