"""Operations with several lowerings and correct derivatives of either mode and any order."""
